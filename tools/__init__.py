"""Commands for those who publish the course or carry it into a classroom."""
