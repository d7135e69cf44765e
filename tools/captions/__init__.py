"""A bilingual grammar of picture captions, English and German. Original text, CC0."""
