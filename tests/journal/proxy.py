"""A proxy before a server that cuts a connection at the moment that a test names."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class CuttingProxy:
    """Hands bytes on between clients and 127.0.0.1:`port`, until the client says the word that it waits for."""

    port: int
    listener: socket.socket = field(init=False)
    _word: bytes = field(init=False, default=b"")
    _delivers: bool = field(init=False, default=False)
    cuts: int = field(init=False, default=0)

    def __enter__(self) -> CuttingProxy:
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def cut_at(self, word: bytes, *, delivers: bool) -> None:
        """Cut the next connection that says a word; `delivers`: the server still hears it, only its answer is lost."""
        self._delivers = delivers
        self._word = word

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self._word and self._word in data:
                    self._word = b""
                    self.cuts += 1
                    client.shutdown(socket.SHUT_RDWR)
                    if self._delivers:
                        server.sendall(data)
                        server.shutdown(socket.SHUT_WR)  # it has done it when it says nothing any more
                        while server.recv(65536):
                            pass
                    break
                server.sendall(data)
        _close(client, server)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _close(client, server)


def _close(*sockets: socket.socket) -> None:
    for end in sockets:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
