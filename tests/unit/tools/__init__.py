"""Tests of the programs, each through its main()."""
