"""The roof: the `erleah` command starts processes, asks for jobs, runs the demo and the doctor."""
