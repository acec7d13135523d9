SELECT match('', {pattern:String}) AS found
