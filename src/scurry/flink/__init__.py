"""What talks to Flink itself: REST client, runtimes, local processes, small Java programs."""
