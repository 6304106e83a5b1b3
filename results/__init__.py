"""What was measured and what was published: record schema, store, collection into pandas, statistics, literature."""
