"""What a terminal shows while work goes on: owns bars and the line of status. Knows no command and
no option."""
