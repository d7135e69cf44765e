"""The page to type a sentence into."""
