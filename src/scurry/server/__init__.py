"""Floor 4: the reconciling server. Surveys targets, puts right what is not as it should be, answers an HTTP API."""
