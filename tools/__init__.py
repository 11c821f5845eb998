"""The programs: one module a console command, and the composition root that reads settings and starts services."""
