"""The filters that kinds of condition share, from their input shape to their SQL, one file each."""
