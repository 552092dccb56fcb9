"""The gateway: a Flask application that takes jobs and answers for them. It opens no model and reads no table."""
