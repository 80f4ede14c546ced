import logging

# peft imports it where it is installed, and on a CPU it then talks of kernels that nobody needs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
