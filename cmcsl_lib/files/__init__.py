"""Files and messages: where things lie, how they are written and checked, errors, and names written safely."""
