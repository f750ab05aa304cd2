#!/usr/bin/perl -w
# Sums up the log of a tea kitchen: pots for each hour.
use strict;

my %pots;
while (my $line = <STDIN>) {
    next unless $line =~ /^(\d\d):\d\d\s+(\d+)/;
    $pots{$1} += $2;
}
print "$_ $pots{$_}\n" for sort keys %pots;
