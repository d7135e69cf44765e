"""What a process shows on standard error, starts beside itself, and needs installed.

Nothing in here imports anything of ours: any other module may import it.
"""
