"""The conference assistant (source `mini`): sessions, exhibitors, speakers and the conference itself."""
