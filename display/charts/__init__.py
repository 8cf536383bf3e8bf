"""Charts as inline SVG text: pure functions of plain data, titled and described, styled by class alone, drawn anew for each width."""
