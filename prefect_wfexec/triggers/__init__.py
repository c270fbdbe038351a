"""What starts runs from outside: who signed a delivery, what it says, and whether a trigger takes it. No network."""
