"""Networks whose values others have computed (`iit-vectors.json`: its `convention` tells how it is to be read)."""

import json
from pathlib import Path

VECTORS = json.loads(Path(__file__).with_name("iit-vectors.json").read_text(encoding="utf-8"))["vectors"]
# Those with effective information.
KNOWN = [vector for vector in VECTORS if vector.get("ei")]
