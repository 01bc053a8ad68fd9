"""The report for people: sections of text and tables, as Markdown and as one HTML page with pictures."""
