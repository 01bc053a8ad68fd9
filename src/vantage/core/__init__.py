"""What every other package stands on: errors, hashing, seeds, atomic writing, tasks and protocols."""
