"""The policy language: files, read strictly, with parents and waivers taken in."""
