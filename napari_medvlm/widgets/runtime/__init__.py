"""What every dock needs while it runs: notifications, threads, resources."""
