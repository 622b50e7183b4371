"""What imports did to each person."""
