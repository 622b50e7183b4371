"""Exports lists to files: requests exports, writes rows, keeps the files for a day and reads them for downloads."""
