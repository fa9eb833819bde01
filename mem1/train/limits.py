"""What bounds the memory of one forward pass, whatever the settings. It changes no loss."""

ROW_TOKENS = 16_384  # of one packed row, unless a single tree is longer
STITCHED_TOKENS = 512  # the same for stitched rows: their attention is dense
CHUNK = 2**25  # logits that are held at a time: 128 MB in fp32
# Gradients that ZeRO-3 sends together. The buffer for them exists for each model that learns,
# however small it is: the 500 million that are DeepSpeed's default are 1 GB of a GPU.
REDUCE_BUCKET = 50_000_000
