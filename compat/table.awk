# Makes a table of what libtest has printed, column by column: "@ NAME" begins one, "@ FAILED" says that it has failed.

/^@ FAILED$/ { failed[column] = 1; next }
/^@ / { column = $2; columns[++count] = column; next }
/^test .* \.\.\. / {
    if (!($2 in seen)) { seen[$2] = 1; names[++tests] = $2 }
    result[$2, column] = $NF
    total[column]++
    if ($NF == "ok") passed[column]++
}
END {
    printf "%-72s", "Test"
    for (c = 1; c <= count; c++) printf " %-8s", columns[c]
    print ""
    for (t = 1; t <= tests; t++) {
        printf "%-72s", names[t]
        for (c = 1; c <= count; c++) {
            at = result[names[t], columns[c]]
            printf " %-8s", at == "" ? "-" : at
        }
        print ""
    }
    printf "%-72s", "passed of those that are there"
    for (c = 1; c <= count; c++) {
        column = columns[c]
        printf " %-8s", (passed[column] + 0) "/" (total[column] + 0)
        if (failed[column] || passed[column] + 0 == 0 || passed[column] != total[column]) bad = 1
    }
    print ""
    exit bad
}
