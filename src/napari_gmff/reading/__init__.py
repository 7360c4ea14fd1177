"""Step 1 of the data flow: any source becomes a lazy `FocusStack`."""
