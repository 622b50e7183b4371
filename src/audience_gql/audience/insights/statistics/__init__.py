"""Pure statistics of experiments: intervals for rates, for means and for their differences. It knows no database and no clock."""
