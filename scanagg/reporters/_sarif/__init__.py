"""How a report becomes SARIF: each part of the log in a file of its own."""
