"""How good translations are: sacreBLEU's BLEU and chrF, after training and during it."""
