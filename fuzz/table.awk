# Makes a table from the logs of libFuzzer, one for each target, and prints how to reproduce findings.

function shown(number) { return number == "" ? "-" : number }

FNR == 1 {
    name = FILENAME
    sub(/^.*fuzz-/, "", name)
    sub(/\.log$/, "", name)
    names[++count] = name
    log_of[name] = FILENAME
}
/^stat::number_of_executed_units:/ { runs[name] = $2 }
/^stat::average_exec_per_sec:/ { speed[name] = $2 }
/^thread .* panicked at / { getline; why[name] = $0 }
/Test unit written to / { artifact[name] = $NF }
END {
    printf "%-10s %12s %12s   %s\n", "Target", "Executions", "Per second", "Found"
    for (n = 1; n <= count; n++) {
        name = names[n]
        found = artifact[name] != "" ? "a finding: see below" : runs[name] > 0 ? "nothing" : "it did not run"
        printf "%-10s %12s %12s   %s\n", name, shown(runs[name]), shown(speed[name]), found
    }
    for (n = 1; n <= count; n++) {
        name = names[n]
        if (artifact[name] != "") {
            printf "\n%s: %s\n  %s\n", name, why[name] == "" ? "see " log_of[name] : why[name], artifact[name]
            printf "reproduce it with\n  rustup run nightly cargo fuzz run %s %s\n", name, artifact[name]
            # In case only this output is available later.
            printf "the file, in base64\n"
            fflush()
            system("base64 <\"" artifact[name] "\"")
            bad = 1
        } else if (runs[name] + 0 == 0) {
            printf "\n%s did not run: see %s\n", name, log_of[name]
            bad = 1
        }
    }
    if (count == 0) bad = 1
    exit bad
}
