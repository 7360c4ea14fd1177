"""The models that restoration needs: which there are, consent to their licences, their files."""
