"""Read by every Python that a test starts: peft imports bitsandbytes where it finds it."""

import sys

sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
