"""The PACS dock."""
