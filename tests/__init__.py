"""Tests of mailspool; see CONTRIBUTING.md for what lies where."""
