"""The programs that users put into their instruction lines: ``|preline procmail``, ``|bouncesaying 'moved' …``.

Each is a function from its arguments and what ``delivery.environment`` gave it to an exit status of
``delivery.outcomes``. The message is the standard input, a file that can be rewound.
"""
