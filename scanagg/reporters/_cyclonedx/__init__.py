"""How a report becomes CycloneDX: each part of the document in a file of its own."""
