"""The kinds of bytes that clients send: pictures, text, and base64."""
