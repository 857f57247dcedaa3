"""USD and kg CO2e; knows no plans."""
