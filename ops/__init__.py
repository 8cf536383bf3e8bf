"""What is run: settings, wiring and commands. The only package that reads the environment, arguments and the clock of the machine."""
