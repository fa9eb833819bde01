# From a generated world to the tables and figures of MEM1 (arXiv 2506.15841):
#     snakemake --cores all                                       preset mini
#     snakemake --cores all --configfile config/smoke.yaml        another preset
#     snakemake --cores all figures                               or tables, claims, or a file
#     snakemake --cores all compare                               with the committed results
# Settings: config/. Phases: workflow/rules/. A rule is one command of mem1.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/checks.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/memory.smk"
include: "workflow/rules/recover.smk"
include: "workflow/rules/paths.smk"
include: "workflow/rules/result_paths.smk"
include: "workflow/rules/search_paths.smk"
include: "workflow/rules/system_paths.smk"
include: "workflow/rules/shop_paths.smk"


CONFIG = checked(config)
P = f"results/{CONFIG.preset}"


wildcard_constraints:
    split="train|validation|test|corpus",
    horizon="[0-9]+",
    run="[^/]+",
    system="[^/]+",


localrules:
    all,
    freeze,


# What cannot influence a result is environment, not configuration.
prepare_environment()
recover()


rule all:
    default_target: True
    input:
        targets(),


for target, files in products().items():  # tables, figures, claims

    rule:
        name:
            target
        input:
            files,


include: "workflow/rules/settings.smk"
include: "workflow/rules/world.smk"
include: "workflow/rules/hub.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/tasks.smk"
include: "workflow/rules/distill.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/base.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/webshop.smk"
include: "workflow/rules/webshop_evaluate.smk"
include: "workflow/rules/render.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/page.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/track.smk"


say_what_it_takes(rules.train_rl.rule.resources)
check_base_model()


onsuccess:
    summarize()
