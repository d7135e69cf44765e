"""The paper's recipe: schedule, optimizer, loss and metrics; and `train`."""
