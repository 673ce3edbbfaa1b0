"""How pages say things: one place for the words that the terminal and every format share."""
