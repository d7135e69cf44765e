"""How good translations are: sacreBLEU's scores, after and during training."""
