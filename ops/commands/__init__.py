"""The commands of `forage`, one file a group: they read arguments, call the packages, and print; nothing is decided here."""
