"""The server's HTTP API, on werkzeug (routes, requests) and waitress (connections, threads)."""
