"""Messages that answer nothing: retained documents, events and pictures of live cameras."""
