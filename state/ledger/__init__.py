"""The ledger: who is owed a report, what became of it, and the proof. One meaning over two databases."""

# Config names the kind by the scheme of its address: `sqlite`, or `postgresql://…`.
LEDGERS = {
    "sqlite": "state.ledger.sqlite:SqliteLedger",
    "postgres": "state.ledger.postgres:PostgresLedger",
}
