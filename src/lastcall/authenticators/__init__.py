"""How people are recognised: passwords, codes, mail, the secrets behind them, and their devices."""
